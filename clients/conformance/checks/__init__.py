"""The checks of each service. A module registers its checks when it is imported."""
