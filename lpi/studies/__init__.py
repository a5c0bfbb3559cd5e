"""Studies: experiments that explain what LPI does, and find the settings under which it works."""
