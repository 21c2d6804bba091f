"""Run the program without its console script: `python -m fairseq_samu.cli check train.tsv`."""

import sys

from fairseq_samu.cli.main import main

sys.exit(main())
