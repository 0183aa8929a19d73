"""Ask one service of this machine how it is: `python -m deploy.probe tts ready`; exit status 0 when all is well.

live: its event loop runs. serving (the default): its engine works and streams are taken. ready: its parts are there
too, of the gateway Asterisk and the stages. It works with TLS on, since it asks at the metrics' port.
"""

import sys

from deploy.stack import SERVICES, HealthWatch, settings_of

PAGES = ("live", "serving", "ready")


def main() -> int:
    names = [service.name for service in SERVICES]
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    page = sys.argv[2] if len(sys.argv) > 2 else "serving"
    if name not in names or page not in PAGES or len(sys.argv) > 3:
        print(f"usage: python -m deploy.probe {'|'.join(names)} [{'|'.join(PAGES)}]", file=sys.stderr)
        return 2
    service = next(each for each in SERVICES if each.name == name)
    settings = settings_of(service)
    health = HealthWatch(service, settings)
    is_asked = bool(settings.metrics_port)
    faults = health.faults(page) if is_asked else "" if health.is_serving() else "not serving"
    health.close()
    print(f"{service.full_name} on {health.address}: {faults.replace(chr(10), '; ') or page}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
