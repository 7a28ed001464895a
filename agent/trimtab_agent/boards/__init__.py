"""Which board this is: names, cores, accelerators, word sizes, from firmware and kernel."""
