"""What calls say beside their messages."""

UPLOAD_TURN_KEY = "trimtab-upload-turn"
"""An agent's first word to an upload: send on. Not said where the file was there already."""
