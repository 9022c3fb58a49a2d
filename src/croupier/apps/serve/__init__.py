"""serve: the HTTP doors; decide and events in front, the rest behind them."""
