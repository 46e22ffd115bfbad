"""Floor 7: the command line. Arguments in, one call to a lower floor, output and an exit code out."""
