"""``python -m trimtab_agent`` is ``trimtab-agent``."""

from trimtab_agent.import_later import SELDOM_NEEDED, import_later


def run() -> None:
    import_later(*SELDOM_NEEDED)
    from trimtab_agent.cli import main  # after it: what it imports imports these

    main(prog_name="trimtab-agent")


if __name__ == "__main__":
    run()
