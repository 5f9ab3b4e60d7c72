"""Grounded video question answering: the answer, the seconds that show it, the boxes it speaks of."""
