from pathlib import Path

import pytest
from trimtab.fleet.address import NetworkPlace, check_address, tls_place
from trimtab.fleet.inventory import LOCAL_DEVICE, Inventory
from trimtab.records import UserError


@pytest.fixture
def inventory(tmp_path: Path) -> Inventory:
    return Inventory(tmp_path / "devices.toml")


def test_an_added_device_is_there_for_the_next_command(
    inventory: Inventory, tmp_path: Path
) -> None:
    inventory.add("pi5", "unix:/tmp/pi5.sock", {"kind": "pi5"})

    (found,) = Inventory(tmp_path / "devices.toml").select(["label:kind=pi5"])

    assert (found.name, found.address) == ("pi5", "unix:/tmp/pi5.sock")


def test_without_a_selector_the_local_device_is_meant(inventory: Inventory) -> None:
    assert inventory.select([]) == (LOCAL_DEVICE,)


def test_a_device_that_two_selectors_match_is_taken_once(inventory: Inventory) -> None:
    inventory.add("pi5", "127.0.0.1:5000", {"kind": "pi5"})

    names = [device.name for device in inventory.select(["pi5", "label:kind=pi5", "all"])]

    assert names == ["pi5", "local"]


def test_an_unknown_selector_names_the_known_devices(inventory: Inventory) -> None:
    inventory.add("pi5", "127.0.0.1:5000", {})

    with pytest.raises(UserError) as caught:
        inventory.select(["pi4"])

    assert "pi4" in caught.value.message
    assert "local, pi5" in caught.value.advice


@pytest.mark.parametrize("name", ["local", "", "a b", "../x", "x" * 65])
def test_a_name_that_would_confuse_is_refused(inventory: Inventory, name: str) -> None:
    with pytest.raises(UserError, match="not a name"):
        inventory.add(name, "127.0.0.1:5000", {})


def test_a_name_is_not_given_twice(inventory: Inventory) -> None:
    inventory.add("pi5", "127.0.0.1:5000", {})

    with pytest.raises(UserError, match="already"):
        inventory.add("pi5", "127.0.0.1:5001", {})


def test_a_removed_device_is_gone(inventory: Inventory, tmp_path: Path) -> None:
    inventory.add("pi5", "127.0.0.1:5000", {})
    inventory.remove("pi5")

    assert Inventory(tmp_path / "devices.toml").devices() == (LOCAL_DEVICE,)
    with pytest.raises(UserError, match="no device pi5"):
        inventory.remove("pi5")


def test_a_broken_inventory_names_its_file(tmp_path: Path) -> None:
    path = tmp_path / "devices.toml"
    path.write_text("[[device]]\nname = ")

    with pytest.raises(UserError, match=r"devices\.toml"):
        Inventory(path)


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1:0", "unix:", "", "a b:1", "board:70000", "http://board", "[zz]:1", "::1:5000:x"],
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(UserError):
        check_address(address)


def test_a_socket_path_that_no_kernel_binds_is_refused_before_trying() -> None:
    with pytest.raises(UserError, match="longer than 100 bytes"):
        check_address("unix:/tmp/" + "x" * 100)


@pytest.mark.parametrize("address", ["127.0.0.1:5000", "localhost:5000", "[::1]:5000"])
def test_loopback_is_taken(address: str) -> None:
    assert check_address(address) == address


@pytest.mark.parametrize(
    ("address", "kept", "host", "port"),
    [
        ("192.168.1.5", "192.168.1.5:7433", "192.168.1.5", 7433),
        ("board.local:5000", "board.local:5000", "board.local", 5000),
        ("[fe80::1]:5000", "[fe80::1]:5000", "fe80::1", 5000),
        ("tls://127.0.0.1:5000", "tls://127.0.0.1:5000", "127.0.0.1", 5000),
    ],
)
def test_beyond_this_machine_there_is_tls(address: str, kept: str, host: str, port: int) -> None:
    assert check_address(address) == kept
    assert check_address(kept) == kept
    assert tls_place(kept) == NetworkPlace(host, port)


@pytest.mark.parametrize("address", ["unix:/tmp/a.sock", "127.0.0.1:5000", "[::1]:5000"])
def test_on_this_machine_there_is_none(address: str) -> None:
    assert tls_place(check_address(address)) is None


@pytest.mark.parametrize(
    ("wrong", "line", "what"),
    [
        ('[[device]]\nname = "b"\n', 5, "'address' is missing"),
        ('[[device]]\nname = "b c"\naddress = "unix:/tmp/b"\n', 5, "is no name"),
        ('[[device]]\nname = "b"\naddress = "unix:"\n', 5, "unix: without a path"),
        ('[[device]]\nname = "a"\naddress = "unix:/tmp/b"\n', 5, "two devices a"),
        (
            '[[device]]\nname = "b"\naddress = "unix:/b"\nlabels = {n=1}\n',
            5,
            "labels are texts",
        ),
        *(
            (f'[[device]]\nname = "{word}"\naddress = "unix:/b"\n', 5, "is a word of selectors")
            for word in ("all", "and", "or", "not")
        ),
        ('[[device]]\nname = "local"\naddress = "unix:/b"\n', 5, "local is this machine"),
    ],
)
def test_a_wrong_edit_by_hand_is_told_with_its_line(
    tmp_path: Path, wrong: str, line: int, what: str
) -> None:
    path = tmp_path / "devices.toml"
    path.write_text('# mine\n[[device]]\nname = "a"\naddress = "unix:/tmp/a"\n' + wrong)

    with pytest.raises(UserError) as caught:
        Inventory(path)

    assert f"{path}:{line}: " in caught.value.message
    assert what in caught.value.message


@pytest.mark.parametrize(
    "label", ["room=big lab", "big room=lab", "room=lab(2)", "room)=lab", "rev>=2", "room=a\tb"]
)
def test_a_label_that_no_selector_can_name_is_refused(inventory: Inventory, label: str) -> None:
    inventory.add("pi5", "unix:/tmp/pi5.sock", {"room": "lab"})
    with pytest.raises(UserError, match="not a label that a selector can name"):
        inventory.set_labels("pi5", [label])
    assert inventory.select(["label:room=lab"])


def test_a_label_that_can_be_given_can_be_selected(inventory: Inventory) -> None:
    inventory.add("pi5", "unix:/tmp/pi5.sock", {})
    label = "größe!x=a=b,c:[d]\"e'*<2"
    inventory.set_labels("pi5", [label])
    (found,) = inventory.select([f"(label:{label})"])
    assert found.name == "pi5"


def test_local_is_neither_labelled_nor_removed(inventory: Inventory) -> None:
    with pytest.raises(UserError, match="local is this machine and takes no labels"):
        inventory.set_labels("local", ["room=lab"])
    with pytest.raises(UserError, match="local is this machine and cannot be removed"):
        inventory.remove("local")


def test_labels_are_set_and_removed(inventory: Inventory, tmp_path: Path) -> None:
    inventory.add("pi5", "127.0.0.1:5000", {"kind": "pi", "old": "yes"})

    inventory.set_labels("pi5", ["kind=pi5", "old-", "absent-", "room=lab-"])

    (found,) = Inventory(tmp_path / "devices.toml").select(["pi5"])
    assert found.labels == {"kind": "pi5", "room": "lab-"}
    with pytest.raises(UserError):
        inventory.set_labels("pi5", ["kind"])
    with pytest.raises(UserError):
        inventory.set_labels("pi4", ["kind=pi4"])
