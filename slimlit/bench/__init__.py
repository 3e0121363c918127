"""How large, how fast and how right a run's teacher, student and exports are, each in a process of its own."""
