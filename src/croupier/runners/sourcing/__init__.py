"""source: records of the company's own topics become events of ours."""
