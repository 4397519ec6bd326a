"""Every module here that defines tables: whoever makes a schema imports this one."""

from quotas import subsidy_tables, tables

TABLE_MODULES = (tables, subsidy_tables)
