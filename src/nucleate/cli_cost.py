"""The command `nucleate cost`: what training would cost on some machine, as a scenario."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from nucleate.studies.cost.work import Work


def cost(
    params: Annotated[
        str, typer.Option(metavar="N", help="Parameters that a token passes through: 7e9, 7B.")
    ] = "",
    config: Annotated[
        Path | None, typer.Option(help="Model folder or config.json: count every part.")
    ] = None,
    run: Annotated[Path | None, typer.Option(help="Run folder: price its ledger.")] = None,
    tokens: Annotated[str, typer.Option(metavar="D", help="Training tokens: 2e12, 2T.")] = "",
    context: Annotated[
        int | None, typer.Option(min=1, help="With --config: length of the sequences.")
    ] = None,
    hardware: Annotated[str, typer.Option(help="a100, h100, h200, b200, mi300x …")] = "a100",
    peak: Annotated[
        float | None, typer.Option(help="Own device: dense 16-bit TFLOP/s, with --watts.")
    ] = None,
    watts: Annotated[float | None, typer.Option(help="Own device: design power.")] = None,
    devices: Annotated[int | None, typer.Option(help="Devices at the same time (1).")] = None,
    mfu: Annotated[float | None, typer.Option(help="Share of the peak reached (.4).")] = None,
    price: Annotated[float | None, typer.Option(help="Price of a device hour.")] = None,
    currency: Annotated[str | None, typer.Option(help="What --price is in (USD).")] = None,
    pue: Annotated[float | None, typer.Option(help="Overhead of the site (1.1).")] = None,
    grid: Annotated[float | None, typer.Option(help="kg CO2e for one kWh (.475).")] = None,
    load: Annotated[
        float | None, typer.Option(help="Mean power as a share of the design power (1).")
    ] = None,
    host_watts: Annotated[
        float | None, typer.Option("--host-watts", help="Rest of the machine, per device (0).")
    ] = None,
    saving: Annotated[
        float | None, typer.Option(help="Try on a saving: 0.3; needs its interval.")
    ] = None,
    saving_interval: Annotated[
        str, typer.Option("--saving-interval", metavar="LO,HI", help="Its interval: 0.2,0.4.")
    ] = "",
    page: Annotated[Path | None, typer.Option(help="Write a page too: FILE.html.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
) -> None:
    """Say what training would cost, as a scenario. FLOPs, hours, energy, carbon, money."""
    from nucleate.core import UserError
    from nucleate.studies.cost.assumptions import assume, choose_device
    from nucleate.studies.cost.estimate import estimate
    from nucleate.studies.cost.saving import read_saving

    if currency is not None and price is None:
        raise UserError("--currency goes with --price", fix="give the price of a device hour")
    made = estimate(
        _work(params, config, run, tokens, context),
        choose_device(hardware, peak, watts),
        assume(
            mfu=mfu,
            devices=devices,
            price=price,
            currency=currency,
            pue=pue,
            grid=grid,
            load=load,
            host_watts=host_watts,
        ),
        read_saving(saving, saving_interval),
    )
    data = made.data()
    written = None
    if page is not None:
        from nucleate.views.cost.page import write_cost

        written = write_cost(data, page)
    if as_json:
        from nucleate.core.printed import print_json

        print_json("cost", data)
        return
    from nucleate.views.cost.terminal import print_cost

    print_cost(data, page=written)


def _work(
    params: str, config: Path | None, run: Path | None, tokens: str, context: int | None
) -> Work:
    from nucleate.core import UserError
    from nucleate.studies.cost.work import from_config, from_parameters, from_run

    if sum(bool(choice) for choice in (params, config, run)) != 1:
        raise UserError("say what to price", expected="--params N, --config MODEL or --run RUN")
    if context is not None and config is None:
        raise UserError("--context goes with --config", fix="6ND knows no context")
    if run is not None:
        if tokens:
            raise UserError("--run knows its own tokens", fix="leave --tokens out")
        return from_run(run)
    if not tokens:
        raise UserError("say how many training tokens", expected="--tokens 2e12")
    if config is not None:
        return from_config(config, _number(tokens, "--tokens"), context)
    return from_parameters(_number(params, "--params"), _number(tokens, "--tokens"))


def _number(text: str, where: str) -> float:
    """Read ``7e9``, ``7B``, ``1.5T`` or ``300_000``."""
    from nucleate.core import UserError
    from nucleate.core.units import read_number

    try:
        return read_number(text)
    except ValueError:
        raise UserError("is not a number", where=where, got=text, expected="7e9 or 7B") from None
