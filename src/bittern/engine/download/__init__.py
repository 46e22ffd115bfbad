"""Getting pieces: what to ask of whom, where it lands, who lied."""
