"""Who may do what with jobs, campaigns and files of a project."""

from tests.integration.authorisation.rules import (
    ADMINISTRATOR,
    CITY,
    EVERYBODY,
    LEADERS,
    MEMBERS,
    OWNER,
    SEE_PROJECT,
    Decision,
    Of,
    Rule,
)

WORK = MEMBERS | {ADMINISTRATOR}
OWNER_OR_LEADERS = LEADERS | {OWNER}

RULES = (
    Rule(
        "List jobs and campaigns, and follow them: those that the reader may see",
        Of.ALL,
        EVERYBODY,
        """
        GET /api/v1/jobs
        GET /api/v1/campaigns
        GET /api/v1/events/stream
        GET /api/v1/search
        GET /jobs
        GET /jobs/rows
        GET /campaigns
        GET /find
        """,
    ),
    Rule(
        "See a job: its state, script, log, files, results, waveforms, cost and history",
        Of.PROJECT,
        SEE_PROJECT,
        """
        GET /api/v1/jobs/{job_id}
        GET /api/v1/jobs/{job_id}/tasks
        GET /api/v1/jobs/{job_id}/events
        GET /api/v1/jobs/{job_id}/events/stream
        GET /api/v1/jobs/{job_id}/changes
        GET /api/v1/jobs/{job_id}/cost
        GET /api/v1/jobs/{job_id}/charges
        GET /api/v1/jobs/{job_id}/refunds
        GET /api/v1/jobs/{job_id}/efficiency
        GET /api/v1/jobs/{job_id}/utilisation
        GET /api/v1/jobs/{job_id}/results
        GET /api/v1/jobs/{job_id}/files
        GET /api/v1/jobs/{job_id}/files/content
        GET /api/v1/jobs/{job_id}/files/preview
        GET /api/v1/jobs/{job_id}/files/zip
        GET /api/v1/jobs/{job_id}/waves
        GET /api/v1/jobs/{job_id}/waves/signals
        GET /api/v1/jobs/{job_id}/waves/window
        GET /api/v1/jobs/{job_id}/log
        GET /api/v1/jobs/{job_id}/log/search
        GET /api/v1/jobs/{job_id}/log/download
        GET /api/v1/jobs/{job_id}/log/stream
        GET /api/v1/jobs/{job_id}/script
        GET /api/v1/jobs/{job_id}/sweep
        GET /api/v1/jobs/{job_id}/corners
        GET /jobs/{job_id}
        GET /jobs/{job_id}/cost
        GET /jobs/{job_id}/events
        GET /jobs/{job_id}/metrics
        GET /jobs/{job_id}/utilisation
        GET /jobs/{job_id}/script
        GET /jobs/{job_id}/script/file
        GET /jobs/{job_id}/sweep
        GET /jobs/{job_id}/corners
        GET /jobs/{job_id}/log
        GET /jobs/{job_id}/log/lines
        GET /jobs/{job_id}/log/live
        GET /jobs/{job_id}/files
        GET /jobs/{job_id}/files/{path:anypath}
        GET /jobs/{job_id}/preview
        GET /jobs/{job_id}/zip
        GET /jobs/{job_id}/waves
        GET /live
        """,
    ),
    Rule(
        "Submit a job, and see what it would cost",
        Of.PROJECT,
        WORK,
        """
        POST /api/v1/jobs
        POST /api/v1/jobs/estimate
        """,
        jobs_token=True,
        project_token=True,
    ),
    Rule(
        "Run ended jobs again; of which one may not, the answer says so beside the others",
        Of.PROJECT,
        SEE_PROJECT,
        """
        POST /api/v1/jobs/run-again
        POST /api/v1/jobs/run-again/estimate
        GET /jobs/again
        POST /jobs/again/submit
        """,
        jobs_token=True,
        project_token=True,
    ),
    Rule(
        "Tick jobs to run again",
        Of.ALL,
        EVERYBODY,
        """
        POST /jobs/again
        """,
    ),
    Rule(
        "Submit a job by a form, which offers one's own projects",
        Of.PROJECT,
        WORK,
        """
        POST /submit/{name}
        """,
        refused_as=Decision.AGAIN,
        hidden_as=Decision.AGAIN,
    ),
    Rule(
        "Cancel a job, hold, release or change it, and ask for a refund of it; so may who answers for its "
        "service account",
        Of.PROJECT,
        OWNER_OR_LEADERS,
        """
        POST /api/v1/jobs/cancel
        POST /api/v1/jobs/{job_id}/cancel
        POST /api/v1/jobs/changes
        POST /api/v1/jobs/{job_id}/changes
        POST /api/v1/jobs/{job_id}/refunds
        POST /jobs/cancel
        POST /jobs/{job_id}/cancel
        POST /jobs/hold
        POST /jobs/release
        POST /jobs/{job_id}/change
        POST /jobs/{job_id}/refunds
        """,
        jobs_token=True,
        project_token=True,
    ),
    Rule(
        "Decide on a job that nobody knows the whereabouts of",
        Of.CITY,
        CITY,
        """
        POST /api/v1/jobs/{job_id}/doubt
        POST /jobs/{job_id}/doubt
        """,
        jobs_token=True,
        project_token=True,
    ),
    Rule(
        "List jobs that nobody knows the whereabouts of",
        Of.CITY,
        CITY,
        """
        GET /api/v1/doubtful-jobs
        """,
    ),
    Rule(
        "See a campaign: its matrix, results, failures, history and comparison",
        Of.PROJECT,
        SEE_PROJECT,
        """
        GET /api/v1/campaigns/{campaign_id}
        GET /api/v1/campaigns/{campaign_id}/failures
        GET /api/v1/campaigns/{campaign_id}/results
        GET /api/v1/campaigns/{campaign_id}/history
        GET /api/v1/campaigns/{campaign_id}/history/export
        GET /api/v1/campaigns/{campaign_id}/comparison
        GET /api/v1/campaigns/{campaign_id}/export
        GET /campaigns/{campaign_id}
        GET /campaigns/{campaign_id}/changes
        GET /campaigns/{campaign_id}/export
        GET /campaigns/{campaign_id}/history
        GET /campaigns/{campaign_id}/history/export
        GET /campaigns/{campaign_id}/matrix
        GET /campaigns/{campaign_id}/results
        GET /campaigns/{campaign_id}/task
        """,
    ),
    Rule(
        "Run a campaign's failures again",
        Of.PROJECT,
        WORK,
        """
        POST /api/v1/campaigns/{campaign_id}/reruns
        POST /campaigns/{campaign_id}/rerun
        """,
        jobs_token=True,
        project_token=True,
    ),
    Rule(
        "Stop a campaign",
        Of.PROJECT,
        OWNER_OR_LEADERS,
        """
        POST /api/v1/campaigns/{campaign_id}/stop
        POST /campaigns/{campaign_id}/stop
        """,
        jobs_token=True,
        project_token=True,
    ),
    Rule(
        "Choose a template, translate a batch script, and see what a form's values cost",
        Of.ALL,
        EVERYBODY,
        """
        GET /api/v1/templates
        GET /api/v1/templates/{name}
        GET /api/v1/templates/{name}/size
        GET /submit
        GET /submit/{name}
        GET /submit/{name}/sent
        POST /submit/{name}/estimate
        POST /submit/{name}/price
        GET /translate
        POST /translate
        """,
    ),
    Rule(
        "Translate a batch script by a program",
        Of.ALL,
        EVERYBODY,
        """
        POST /api/v1/scripts/translate
        """,
        jobs_token=True,
        project_token=True,
    ),
    Rule(
        "See what the project's people share: files, and how far an upload is",
        Of.PROJECT,
        SEE_PROJECT,
        """
        GET /api/v1/projects/{account}/files
        GET /api/v1/projects/{account}/files/content
        GET /api/v1/projects/{account}/files/preview
        GET /api/v1/projects/{account}/files/zip
        GET /api/v1/projects/{account}/uploads/{upload_id}
        GET /api/v1/projects/{account}/waves
        GET /api/v1/projects/{account}/waves/signals
        GET /api/v1/projects/{account}/waves/window
        GET /projects/{account}/waves
        GET /projects/{account}/files
        GET /projects/{account}/files/{path:anypath}
        GET /projects/{account}/preview
        GET /projects/{account}/zip
        """,
    ),
    Rule(
        "Change what the project's people share: upload, make folders, rename, delete",
        Of.PROJECT,
        WORK,
        """
        DELETE /api/v1/projects/{account}/files
        POST /api/v1/projects/{account}/files/folders
        POST /api/v1/projects/{account}/files/moves
        PUT /api/v1/projects/{account}/uploads/{upload_id}
        DELETE /api/v1/projects/{account}/uploads/{upload_id}
        POST /projects/{account}/files
        POST /projects/{account}/folders
        GET /projects/{account}/rename
        POST /projects/{account}/rename
        GET /projects/{account}/delete
        POST /projects/{account}/delete
        """,
        jobs_token=True,
        project_token=True,
    ),
)
