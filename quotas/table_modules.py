"""Every module here that defines tables: whoever makes a schema imports this one."""

from quotas import tables

TABLE_MODULES = (tables,)
