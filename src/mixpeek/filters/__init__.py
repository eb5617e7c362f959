"""The filter language of every list, search and bulk change: read once, then asked of JSON or compiled to SQL.

    parse.parse_filter(json, case_sensitive=...)     -> model.Filter, or FilterInvalid with every fault
    surface.Surface                                  which fields a kind of thing has, and where they are kept
    evaluate.matches(filter, surface, record)        the meaning, written down plainly
    sql.compile_filter(filter, surface)              the same as a condition of PostgreSQL with parameters

`docs/howto/filter-documents.md` tells users what it means.
"""
