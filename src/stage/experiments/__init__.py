"""The paper's tables on any data set: which systems, their runs over seeds, means beside the paper, an audit."""
