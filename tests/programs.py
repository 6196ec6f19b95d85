"""Programs that are compiled once for many runs, because compiling takes most of a test's time."""


def share(monkeypatch, *places):
    """Let functions that make programs return the first one that they made.

    Args:
        monkeypatch: undoes it.
        *places: modules and names of such functions.

    Returns:
        The programs by the names of their functions, as soon as they are made.
    """
    programs = {}
    for module, name in places:
        make = getattr(module, name)

        def once(*args, make=make, name=name, **options):
            if name not in programs:
                programs[name] = make(*args, **options)
            return programs[name]

        monkeypatch.setattr(module, name, once)
    return programs
