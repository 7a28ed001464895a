"""What ``factorize`` can be told, in words."""

from typing import Literal

Method = Literal["auto", "tucker2", "spatial-svd", "cp"]
