"""``explain_run``: a finished run's texts, or given ones, with the answers of its student and the reasons, tested."""

from slimlit.explainer.explanation import chosen_methods, explain_run

__all__ = ["chosen_methods", "explain_run"]
