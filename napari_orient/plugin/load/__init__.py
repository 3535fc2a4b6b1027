"""The Load dock: opening, facts, axes, preparing and exporting, each in a panel."""
