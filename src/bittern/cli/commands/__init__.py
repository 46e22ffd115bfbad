"""One module for each command; `cli.main` names them and loads only the one that runs."""
