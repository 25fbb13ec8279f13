"""Hold the app against the Supervisor's own code: python3.14 with-supervisor.py CHECKOUT

CHECKOUT is one of home-assistant/supervisor, whose requirements.txt is installed. Prints what it finds, and fails where the
Supervisor would drop, change, refuse or warn of anything.
"""

import logging
import pathlib
import sys
import tempfile
from types import SimpleNamespace

import yaml

ROOT = pathlib.Path(__file__).parents[2]
APP = ROOT / "ha-addon"

said = []


class Said(logging.Handler):
    def emit(self, record):
        said.append(record.getMessage())


sys.path.insert(0, sys.argv[1])
from supervisor.apps.options import AppOptions, UiOptions  # noqa: E402
from supervisor.apps.utils import rating_security  # noqa: E402
from supervisor.apps.validate import SCHEMA_APP_CONFIG, SCHEMA_APP_TRANSLATIONS  # noqa: E402
from supervisor.store.validate import SCHEMA_REPOSITORY_CONFIG  # noqa: E402
from supervisor.utils.apparmor import adjust_profile, get_profile_name  # noqa: E402

logging.getLogger("supervisor").addHandler(Said())


def read(path):
    return yaml.safe_load(path.read_text())


raw = read(APP / "config.yaml")
config = SCHEMA_APP_CONFIG(read(APP / "config.yaml"))
assert set(raw) <= set(config), f"dropped: {set(raw) - set(config)}"
for key, value in raw.items():
    assert config[key] == value, f"{key} became {config[key]}"

repository = read(ROOT / "repository.yaml")
assert SCHEMA_REPOSITORY_CONFIG(repository) == repository

for file in (APP / "translations").glob("*.yaml"):
    words = read(file)
    assert SCHEMA_APP_TRANSLATIONS(words) == words, file
    assert set(words["configuration"]) == set(config["schema"]), file

options = AppOptions(None, config["schema"], config["name"], config["slug"])
assert options.validate(dict(config["options"])) == config["options"]
every = {
    **config["options"],
    "interfaces": ["eth0"],
    "admin_addresses": ["192.0.2.10"],
    "router": "root@192.0.2.1",
    "router_host_key": "ssh-ed25519 AAAA",
    "router_sudo": False,
    "broker": "mqtt://192.0.2.10:1883",
    "broker_username": "user",
    "broker_password": "password",
    "log": "info",
}
assert set(every) == set(config["schema"])
assert options.validate(every) == every
assert len(UiOptions(None)(config["schema"])) == len(every)

profile = APP / "apparmor.txt"
assert get_profile_name(profile) == config["slug"]
with tempfile.TemporaryDirectory() as folder:
    adjust_profile(f"a0b1c2d3_{config['slug']}", profile, pathlib.Path(folder) / "profile")

app = SimpleNamespace(
    apparmor="profile",
    with_ingress=config["ingress"],
    access_auth_api=config["auth_api"],
    signed=False,
    privileged=config["privileged"],
    with_kernel_modules=config["kernel_modules"],
    hassio_role=config["hassio_role"],
    host_network=config["host_network"],
    host_pid=config["host_pid"],
    host_uts=config["host_uts"],
    access_docker_api=config["docker_api"],
    with_full_access=config["full_access"],
)
rating = rating_security(app)
assert rating == 6, rating
assert not said, said
print(f"the Supervisor has nothing to say; security rating {rating}")
