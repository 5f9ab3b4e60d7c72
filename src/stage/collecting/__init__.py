"""How a data set like TVQA+ is collected (Sec. 3): visual concepts, refined spans, boxes, and their merging."""
