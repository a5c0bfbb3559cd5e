"""Ground truth of the experiment: optima, best local policies, when the optimal policy acts; tables, figures, sentences."""
