"""Records to tables, figures and web pages."""
