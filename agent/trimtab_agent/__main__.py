"""``python -m trimtab_agent`` is ``trimtab-agent``."""

from trimtab_agent.cli import main

main(prog_name="trimtab-agent")
