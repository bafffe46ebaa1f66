"""What a fit does not know: profile, Wald and jackknife behind one interface, and the rule that chooses."""
