"""Annotating a data set as TVQA+ was (Sec. 3): visual concepts, spans, boxes."""
