"""Speech recognition and understanding for languages with little or no transcribed speech."""
