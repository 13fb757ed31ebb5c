"""The upstream's language: requests, rules, answers, faults and models."""
