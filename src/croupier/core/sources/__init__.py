"""A company's own records → reports as our door takes them. Pure."""
