"""From emissions to text."""
