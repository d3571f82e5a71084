"""Market data into the store: history, gaps, closed candles by REST, the forming one by stream."""
