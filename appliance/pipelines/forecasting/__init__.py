"""What projects share that forecast the quantiles of a market's return: everything but their recipe."""
