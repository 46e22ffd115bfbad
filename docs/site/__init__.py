"""The documentation as a site: pages of this repository, the reference made from docstrings and the program itself.

`python -m docs.site` builds it strictly into build/site, `python -m docs.site --serve` shows it while it is written.
Pages are written as they are to be read in the repository; what differs on the site is put in on the way:

- `staging.py` collects the pages and writes them to build/docs;
- `links.py` leads links that leave docs/ to pages made of the files that they name;
- `names.py` leads what a page says of the library to the reference;
- `commands.py` fills in what the program says of itself, `modules.py` what each module says that it is for;
- `navigation.py` reads the order of the pages from docs/README.md.
"""
