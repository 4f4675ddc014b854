# The page in a container: docker build -t playground . && docker run -p 7860:7860 playground
FROM python:3.11.14-slim-bookworm

# libgl1 and libglib2.0-0 are for the face finder; packages of a pinned base need no versions
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends libgl1 libglib2.0-0 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 1000 user

WORKDIR /srv/playground
COPY requirements.txt .
# the second index has torch without what only GPUs need
RUN pip install --no-cache-dir -r requirements.txt \
    --extra-index-url https://download.pytorch.org/whl/cpu

COPY . .

USER 1000
ENV HF_HOME=/home/user/huggingface \
    GRADIO_TEMP_DIR=/home/user/gradio \
    PYTHONUNBUFFERED=1
EXPOSE 7860
CMD ["python", "app.py", "--host", "0.0.0.0", "--port", "7860"]
