"""The paper's tables: what they compare, and how results are shown."""
