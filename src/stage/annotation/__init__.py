"""Files of questions, subtitles and predictions, and what training learns from them."""
