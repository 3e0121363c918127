"""A classifier made smaller step by step: what each step takes, and what it costs."""
