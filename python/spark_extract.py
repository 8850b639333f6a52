"""The script for spark-submit: see docs/spark.md, or --help."""

import sys

from pcapbatch.spark import main

sys.exit(main())
