"""Files that a report can be taken away as: CSV, XLSX, PDF and JSON."""
