"""Every module here that defines tables: whoever makes a schema imports this one."""

from quotas import (
    allocation_tables,
    end_state_tables,
    hold_tables,
    price_tables,
    storage_tables,
    subsidy_tables,
    tables,
    usage_tables,
)

TABLE_MODULES = (
    tables,
    price_tables,
    allocation_tables,
    end_state_tables,
    subsidy_tables,
    hold_tables,
    usage_tables,
    storage_tables,
)
