"""Takes results, returns figures and pages; computes nothing."""
