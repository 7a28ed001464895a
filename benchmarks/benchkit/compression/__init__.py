"""What the compression benchmark is made of: networks, their data, scores, speeds, rows."""
