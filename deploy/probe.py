"""Ask one service of this machine whether it serves: `python -m deploy.probe tts`; exit status 0 when it does."""

import sys

from deploy.stack import SERVICES, HealthWatch, settings_of


def main() -> int:
    names = [service.name for service in SERVICES]
    if len(sys.argv) != 2 or sys.argv[1] not in names:
        print(f"usage: python -m deploy.probe {'|'.join(names)}", file=sys.stderr)
        return 2
    service = next(each for each in SERVICES if each.name == sys.argv[1])
    health = HealthWatch(service, settings_of(service))
    is_serving = health.is_serving()
    health.close()
    print(f"{service.full_name} on {health.address}: {'SERVING' if is_serving else 'not serving'}")
    return 0 if is_serving else 1


if __name__ == "__main__":
    sys.exit(main())
