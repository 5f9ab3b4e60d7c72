"""The paper's tables: their rows, summaries over seeds, output, audit."""
