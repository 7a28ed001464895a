"""The tables. What is looked for has its own column; the rest of a record is one document."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, ForeignKeyConstraint, LargeBinary
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

# A table that only adds to the others is made where it is missing, under the same version.
SCHEMA_VERSION = 1
Document = dict[str, Any]
_CHILDREN = "all, delete-orphan"


def _of_result() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(
        ["run_id", "position"], ["results.run_id", "results.position"], ondelete="CASCADE"
    )


class Base(DeclarativeBase):
    type_annotation_map = {Document: JSON, int: BigInteger, bytes: LargeBinary}  # noqa: RUF012


class SchemaRow(Base):
    __tablename__ = "trimtab_schema"

    version: Mapped[int] = mapped_column(primary_key=True)


class RunRow(Base):
    __tablename__ = "runs"

    run_id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    created: Mapped[str]
    decision: Mapped[Document | None]

    variants: Mapped[list[VariantRow]] = relationship(
        cascade=_CHILDREN, passive_deletes=True, order_by="VariantRow.position"
    )
    results: Mapped[list[ResultRow]] = relationship(
        cascade=_CHILDREN, passive_deletes=True, order_by="ResultRow.position"
    )


class InterruptedRow(Base):
    """A run whose process gave it up before all results were there."""

    __tablename__ = "interrupted_runs"

    run_id: Mapped[str] = mapped_column(
        ForeignKey("runs.run_id", ondelete="CASCADE"), primary_key=True
    )


class VariantRow(Base):
    __tablename__ = "variants"

    run_id: Mapped[str] = mapped_column(
        ForeignKey("runs.run_id", ondelete="CASCADE"), primary_key=True
    )
    position: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    format: Mapped[str]
    document: Mapped[Document]


class ResultRow(Base):
    __tablename__ = "results"

    run_id: Mapped[str] = mapped_column(
        ForeignKey("runs.run_id", ondelete="CASCADE"), primary_key=True
    )
    position: Mapped[int] = mapped_column(primary_key=True)
    device_name: Mapped[str]
    device_id: Mapped[str] = mapped_column(index=True)
    variant: Mapped[str | None]
    artifact_sha256: Mapped[str] = mapped_column(index=True)
    format: Mapped[str]
    runtime: Mapped[str]
    failed: Mapped[bool]
    document: Mapped[Document]

    metrics: Mapped[list[MetricRow]] = relationship(
        cascade=_CHILDREN, passive_deletes=True, order_by="MetricRow.metric_position"
    )
    repeats: Mapped[list[RepeatRow]] = relationship(
        cascade=_CHILDREN, passive_deletes=True, order_by="RepeatRow.repeat_position"
    )


class MetricRow(Base):
    __tablename__ = "metrics"
    __table_args__ = (_of_result(),)

    run_id: Mapped[str] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    metric_position: Mapped[int]
    value: Mapped[float | None]
    unit: Mapped[str]
    provenance: Mapped[str]
    ci95_low: Mapped[float | None]
    ci95_high: Mapped[float | None]
    valid: Mapped[bool]
    reason: Mapped[str | None]


class RepeatRow(Base):
    """Sample columns: little-endian 64-bit nanoseconds in the order taken, zlib-compressed."""

    __tablename__ = "repeats"
    __table_args__ = (_of_result(),)

    run_id: Mapped[str] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    repeat_position: Mapped[int] = mapped_column(primary_key=True)
    repeat_index: Mapped[int]
    start_offset_ns: Mapped[bytes]
    latency_ns: Mapped[bytes]
    load_ns: Mapped[int]
    first_inference_ns: Mapped[int]
    io_ns: Mapped[int | None]

    sensors: Mapped[list[SensorRow]] = relationship(
        cascade=_CHILDREN, passive_deletes=True, order_by="SensorRow.name"
    )


class SensorRow(Base):
    """Offsets as those of the samples; readings: little-endian doubles, zlib-compressed."""

    __tablename__ = "sensor_readings"
    __table_args__ = (
        ForeignKeyConstraint(
            ["run_id", "position", "repeat_position"],
            ["repeats.run_id", "repeats.position", "repeats.repeat_position"],
            ondelete="CASCADE",
        ),
    )

    run_id: Mapped[str] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    repeat_position: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    offset_ns: Mapped[bytes]
    readings: Mapped[bytes]
