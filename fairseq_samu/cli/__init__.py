"""The program `fairseq-samu`: thin parsing of arguments over the rooms of the package, one module a verb."""
