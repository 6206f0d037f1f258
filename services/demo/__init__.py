"""A made-up practice: three small businesses, their people and two years of touchpoints, as the files people bring."""
