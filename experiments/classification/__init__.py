"""Students of text classifiers on six data sets: what distillation adds, and what each loss adds to it."""
