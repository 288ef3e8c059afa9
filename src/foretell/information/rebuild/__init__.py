"""Full distributions through an interface that lists the likeliest tokens and takes a logit bias."""
